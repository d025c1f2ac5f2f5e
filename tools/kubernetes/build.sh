#!/usr/bin/env bash
# Prints a directory that holds kube-apiserver and kube-controller-manager, built
# from the version that go.mod pins, once, into a cache outside the tree. Their
# etcd is the one on PATH (Debian: apt-get install etcd-server). Everything but
# the path goes to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|^\(require \)\?\s*k8s.io/kubernetes v\([0-9.]*\).*|\2|p' "$here/go.mod")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil/kubernetes-$version"
programs=(kube-apiserver kube-controller-manager)

is_built() {
  local program
  for program in "${programs[@]}"; do [[ -x $cache/$program ]] || return 1; done
}

command -v etcd >/dev/null || { echo "no etcd on PATH: install it (Debian: apt-get install etcd-server)" >&2; exit 1; }

if ! is_built; then
  echo "Building ${programs[*]} $version into $cache: about 5 minutes on 2 cores, once." >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  IFS=. read -r major minor _ <<<"$version"
  v=k8s.io/component-base/version # what they say of themselves; without it v0.0.0
  CGO_ENABLED=0 go build -C "$here" -trimpath -o "$scratch/" \
    -ldflags "-s -w -X $v.gitVersion=v$version -X $v.gitMajor=$major -X $v.gitMinor=$minor" \
    "${programs[@]/#/k8s.io/kubernetes/cmd/}" >&2
  for program in "${programs[@]}"; do
    mv -f "$scratch/$program" "$cache/$program" # at once: whoever else builds sees all of it or nothing
  done
fi
echo "$cache"
