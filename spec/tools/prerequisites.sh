#!/bin/sh
# Names every missing tool together with its fix, before anything long starts.
# Usage: prerequisites.sh [lab]     "lab" also asks for what the laboratory is built with (Go, Python).
set -u
missing=0

need() { # what is wrong, how to mend it
  missing=$((missing + 1))
  printf 'missing: %s\n    fix: %s\n' "$1" "$2" >&2
}

# Whether version $1 (such as 1.26.8) is at least $2.$3.
at_least() {
  major=${1%%.*}
  rest=${1#*.}
  minor=${rest%%[!0-9]*}
  [ "$major" -gt "$2" ] 2>/dev/null || { [ "$major" -eq "$2" ] && [ "${minor:-0}" -ge "$3" ]; } 2>/dev/null
}

node_fix='install Node.js 20.10 or newer with npm 10 or newer (https://nodejs.org, or your package manager)'
if ! command -v node >/dev/null 2>&1; then
  need 'node' "$node_fix"
elif ! at_least "$(node -p process.versions.node)" 20 10; then
  need "node 20.10 or newer (found $(node --version))" "$node_fix"
fi
if ! command -v npm >/dev/null 2>&1; then
  need 'npm' "$node_fix"
elif ! at_least "$(npm --version 2>/dev/null)" 10 0; then
  need "npm 10 or newer (found $(npm --version 2>/dev/null))" "$node_fix"
fi

if [ "${1:-}" = lab ]; then
  go_fix='install Go 1.25 or newer (https://go.dev/dl, or your package manager); it builds the Kubernetes API server of the tests once'
  if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    [ -x "$KUBEBUILDER_ASSETS/kube-apiserver" ] ||
      need "kube-apiserver in KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS" 'unset KUBEBUILDER_ASSETS, or point it at a directory with etcd, kube-apiserver and kube-controller-manager'
  elif ! command -v go >/dev/null 2>&1; then
    need 'go' "$go_fix"
  else
    found=$(go env GOVERSION 2>/dev/null)
    at_least "${found#go}" 1 25 || need "go 1.25 or newer (found ${found:-none that works})" "$go_fix"
  fi
  if ! command -v python3 >/dev/null 2>&1; then
    need 'python3' 'install Python 3.10 or newer with its venv module (Debian: apt-get install python3-venv); it runs the AWS of the tests'
  elif ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
    need 'the venv module of python3' 'Debian and Ubuntu: apt-get install python3-venv; elsewhere a Python that brings venv and ensurepip'
  fi
fi

[ "$missing" -eq 0 ] || exit 1
