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

parts='etcd kube-apiserver kube-controller-manager'

# Which of the programs of the control plane are not in the directory $1.
lacking() {
  absent=
  for part in $parts; do [ -x "$1/$part" ] || absent="$absent $part"; done
  echo "$absent"
}

on_path() {
  for part in $parts; do command -v "$part" >/dev/null 2>&1 || return 1; done
}

# Whether a clone has built the control plane; one of other sources is found out when the laboratory is installed.
built() {
  for binary in "${XDG_CACHE_HOME:-${HOME:-}/.cache}"/rolevend/lab/*/controlplane; do [ -x "$binary" ] && return; done
}

# Where the laboratory gets its control plane, in the order of spec/lab/install/control-plane.ts.
control_plane() {
  if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    absent=$(lacking "$KUBEBUILDER_ASSETS")
    [ -n "$absent" ] || return 0
    printf 'note: KUBEBUILDER_ASSETS=%s is not used, since it lacks%s\n' "$KUBEBUILDER_ASSETS" "$absent" >&2
    printf '    fix: unset it, or let it name a directory with %s\n' "$parts" >&2
  fi
  if on_path || built; then return 0; fi
  go_fix='install Go 1.25 or newer (https://go.dev/dl, or your package manager); it builds the Kubernetes API server of the tests once'
  if ! command -v go >/dev/null 2>&1; then
    need 'go' "$go_fix"
  else
    found=$(go env GOVERSION 2>/dev/null)
    at_least "${found#go}" 1 25 || need "go 1.25 or newer (found ${found:-none that works})" "$go_fix"
  fi
}

python() {
  python_fix='install Python 3.10 or newer with its venv module (Debian: apt-get install python3-venv); it runs the AWS of the tests'
  if ! command -v python3 >/dev/null 2>&1; then
    need 'python3' "$python_fix"
  elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
    need "python3 3.10 or newer (found $(python3 --version 2>&1))" "$python_fix"
  elif ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
    need 'the venv module of python3' 'Debian and Ubuntu: apt-get install python3-venv; elsewhere a Python that brings venv and ensurepip'
  fi
}

if [ "${1:-}" = lab ]; then
  control_plane
  python
fi

[ "$missing" -eq 0 ] || exit 1
