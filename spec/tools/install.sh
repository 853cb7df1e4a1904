#!/bin/sh
# Installs the npm packages. Install scripts stay off; `node` alone is allowed its own by name, since that is how
# node_modules/.bin/node (the version that package-lock.json pins) comes to be.
set -eu
echo '==> npm packages (some seconds with a warm npm cache, about a minute without)'
npm ci --loglevel=error
npm rebuild node --ignore-scripts=false --loglevel=error >/dev/null
# For `npx rolevend`: npm links the programs of the dependencies, but not the project's own.
ln -sf ../../dist/rolevend.mjs node_modules/.bin/rolevend
node_modules/.bin/node --version >node_modules/.installed
