#!/usr/bin/env bash
# Brings the DAGs and the schemas of this checkout into an Airflow bucket. ./upload_static_to_gcs.sh --help says how.
#
# Object storage changes one object at a time, so nothing changes a folder from one version to the next at a stroke.
# What keeps the promise that a failed upload leaves the version before it whole:
#   1. The DAGs are parsed. The new version is put whole below stellar-etl/versions/, which Airflow does not read, and
#      read back. What it is going to replace is kept here.
#   2. What differs is copied from there to dags/ within the cloud, DAG files after the modules that they import, and
#      what is gone is deleted. Then dags/ is read back.
#   3. Older versions are deleted. The names of those that are left are what an upload may delete in dags/.
# A failure, Ctrl-C or SIGTERM in 2 has dags/ put back, byte for byte. Two limits: Airflow may read dags/ during the
# seconds that 2 takes; and killed by SIGKILL, or with the network gone for good, the script can't put anything back:
# dags/ is then a mixture until it is run again.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'END'
usage: ./upload_static_to_gcs.sh [--dry-run] [--take-over] BUCKET

Uploads dags/ to gs://BUCKET/dags and schemas/ to gs://BUCKET/dags/schemas, where the Airflow Variable schema_filepath
expects them on Composer, and deletes there what an earlier upload brought and this checkout lacks. Nothing is uploaded
unless every DAG parses. Other people's files are left alone. If anything fails, dags/ is put back as it was.

  BUCKET       the environment's bucket: NAME, gs://NAME or gs://NAME/dags
  --dry-run    say what would be uploaded and deleted, and change nothing
  --take-over  replace files of the same names that no earlier upload brought; without it they stop the upload

Needs gcloud or gsutil, logged in, and Python 3.11 for .venv, which is made the first time.
END
}

say() { printf 'upload_static_to_gcs.sh: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

dry_run='' take_over='' given=''
while (($#)); do
  case $1 in
    --dry-run) dry_run=1 ;;
    --take-over) take_over=1 ;;
    -h | --help) usage; exit ;;
    -*) fail "unknown option $1; --help says which there are" ;;
    *) [[ ! $given ]] || fail "one bucket, not $given and $1"; given=$1 ;;
  esac
  shift
done
[[ $given ]] || { usage >&2; exit 2; }
bucket=${given#gs://} bucket=${bucket%/} bucket=${bucket%/dags}
# https://cloud.google.com/storage/docs/buckets#naming
[[ $bucket =~ ^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$ ]] ||
  fail "'$given' is not the name of a bucket: NAME, gs://NAME or gs://NAME/dags"

# Both programs take the same words for what is done here, but for one option.
if command -v gcloud >/dev/null; then
  storage=(gcloud storage) by_content=--checksums-only
elif command -v gsutil >/dev/null; then
  storage=(gsutil) by_content=-c
else
  fail "gcloud and gsutil are missing: install one (https://cloud.google.com/sdk/docs/install)"
fi
readonly root=gs://$bucket versions=stellar-etl/versions
version=$(date -u +%Y%m%dT%H%M%SZ)-$$
work=$(mktemp -d)

# Runs a transfer; what it says is shown if it fails.
transfer() {
  "${storage[@]}" "$@" >"$work/transfer" 2>&1 || { cat "$work/transfer" >&2; return 1; }
}

# list FOLDER FILE: the names below a folder of the bucket. A failed look is an error: taken for an empty folder, it
# would have files deleted.
list() {
  : >"$2"
  "${storage[@]}" ls "$root/" >"$work/top" || return 1
  grep -qxF "$root/${1%%/*}/" "$work/top" || return 0
  "${storage[@]}" ls "$root/${1%%/*}/**" >"$work/urls" || return 1
  sed -n "s|^$root/$1/||p" "$work/urls" | sed '/\/$/d; /^$/d' | LC_ALL=C sort >"$2"
}

# fetch NAMES FROM TO: downloads objects; NAMES is a file of names below FROM.
fetch() {
  local folder name urls
  while IFS= read -r folder; do
    urls=()
    while IFS= read -r name; do
      if [[ $name == "$folder"* && $name != "$folder"*/* ]]; then urls+=("$2/$name"); fi
    done <"$1"
    mkdir -p "$3/$folder"
    transfer cp "${urls[@]}" "$3/$folder" || return 1
  done < <(sed 's|[^/]*$||' "$1" | sort -u)
}

# holds FOLDER: whether the new version lies there, every name with every byte.
holds() {
  rm -rf "$work/back"
  mkdir "$work/back"
  list "$1" "$work/names" && common "$work/new.names" "$work/names" >"$work/found" &&
    fetch "$work/found" "$root/$1" "$work/back" && diff -r "$work/new" "$work/back" >&2
}

common() { LC_ALL=C comm -12 "$1" "$2"; }
without() { LC_ALL=C comm -23 "$1" "$2"; }

# Deletes objects of dags/; NAMES is a file of names.
delete() {
  local name urls=()
  while IFS= read -r name; do urls+=("$root/dags/$name"); done <"$1"
  ((${#urls[@]} == 0)) || transfer rm "${urls[@]}"
}

put_back() {
  say "putting dags/ back as it was"
  [[ ! -s $work/before.names ]] || transfer rsync -r "$by_content" "$work/before" "$root/dags" || return 1
  list dags "$work/names" && common "$work/added" "$work/names" >"$work/found" && delete "$work/found"
}

staged='' switching=''
finish() {
  local status=$?
  trap '' INT TERM
  if [[ $switching ]]; then
    if put_back; then
      say "$root/dags is as it was; run this again"
    else
      say "dags/ could not be put back: it is a mixture of two versions until this is run again"
      staged=''  # it tells the next run which names are ours
    fi
  fi
  [[ ! $staged ]] || transfer rm -r "$root/$versions/$version/" || say "the next upload deletes $versions/$version"
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "parsing the DAGs"
scripts/make_venv.sh stack
mkdir "$work/new" "$work/before"
cp -R dags/. "$work/new"
cp -R schemas "$work/new/schemas"
find "$work/new" -name __pycache__ -prune -exec rm -rf {} +
.venv/bin/python scripts/parse_dags.py "$work/new" || fail "nothing was uploaded"
(cd "$work/new" && find . -type f) | sed 's|^\./||' | LC_ALL=C sort >"$work/new.names"

{ list dags "$work/there" && list "$versions" "$work/held"; } || fail "$root can't be listed: nothing was uploaded"
sed 's|^[^/]*/||' "$work/held" | LC_ALL=C sort -u >"$work/ours"
common "$work/new.names" "$work/there" >"$work/kept"
without "$work/new.names" "$work/there" >"$work/added"
without "$work/ours" "$work/new.names" >"$work/left" && common "$work/left" "$work/there" >"$work/gone"
without "$work/kept" "$work/ours" >"$work/foreign"
if [[ -s $work/foreign && ! $take_over ]]; then
  sed 's|^|  dags/|' "$work/foreign" >&2
  fail "these are in the bucket, and no upload brought them: remove them, or give --take-over"
fi

LC_ALL=C sort -u "$work/kept" "$work/gone" >"$work/before.names"
fetch "$work/before.names" "$root/dags" "$work/before" || fail "$root/dags can't be read: nothing was uploaded"
while IFS= read -r name; do
  cmp -s "$work/new/$name" "$work/before/$name" || printf '%s\n' "$name"
done <"$work/kept" >"$work/changed"
for what in added changed gone; do sed "s|^|  $what: dags/|" "$work/$what" >&2; done
count() { wc -l <"$work/$1" | tr -d ' '; }
summary="$(count added) added, $(count changed) changed, $(count gone) gone, of $(count new.names) files"
[[ ! $dry_run ]] || { say "$summary; nothing was changed"; exit; }

say "$summary; uploading the new version to $root/$versions/$version"
staged=1
{ transfer rsync -r "$by_content" "$work/new" "$root/$versions/$version" && holds "$versions/$version"; } ||
  fail "the new version did not arrive whole: nothing has changed in $root/dags"

say "switching dags/ over"
switching=1
for folder in "$work"/new/*/; do
  folder=$(basename "$folder")
  transfer rsync -r "$by_content" "$root/$versions/$version/$folder" "$root/dags/$folder" || fail "dags/$folder failed"
done
transfer rsync "$by_content" "$root/$versions/$version" "$root/dags" || fail "the DAG files failed"
delete "$work/gone" || fail "what is gone could not be deleted"
holds dags || fail "dags/ is not what was uploaded"
switching='' staged=''

while IFS= read -r old; do
  transfer rm -r "$root/$versions/$old/" || say "the older version $old is left below $versions; the next upload deletes it"
done < <(sed 's|/.*||' "$work/held" | sort -u)
say "$root/dags holds this version: $(count new.names) files, read back and compared"
