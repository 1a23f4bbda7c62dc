#!/bin/sh
# `queen` of a checkout, as `npx queen` and `npm link` find it: with the Bun on the path, else with the one that npm brought.
file=$(readlink -f "$0")
root=${file%/*}/..
export MIMALLOC_PURGE_DELAY=60000 MIMALLOC_PURGE_HOLES_MIN_INTERVAL=60000
if bun --version >/dev/null 2>&1; then
  exec bun "$root/server/main.ts" "$@"
fi
bun=$root/node_modules/.bin/bun
"$bun" --version >/dev/null 2>&1 || node "$root/node_modules/bun/install.js" >/dev/null 2>&1 || {
  echo "queen: there is no Bun: npm install in $root brings one" >&2
  exit 1
}
exec "$bun" "$root/server/main.ts" "$@"
