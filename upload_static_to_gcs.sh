#!/usr/bin/env bash
# Uploads the DAGs, schemas and plugins of this checkout to an Airflow bucket. Its usage: ./upload_static_to_gcs.sh --help
#
# Object storage changes one object at a time, so a folder cannot change atomically from one version to the next. These
# steps ensure that a failed upload keeps the previous version complete:
#   1. The DAGs are parsed. The new version is uploaded below stellar-etl/versions/, which Airflow does not read, and
#      read back. The files that it will replace are saved on this machine.
#   2. The files that differ are copied from there to dags/ and plugins/ within the cloud, DAG files after the modules
#      that they import. Removed files are deleted. Then both folders are read back.
#   3. Older versions are deleted. An upload may delete only files whose names are in a remaining version.
# After a failure, Ctrl-C or SIGTERM in step 2, both folders are restored byte for byte. There are two limits. Airflow can
# read the folders during the seconds of step 2. After SIGKILL or a lasting loss of the network the script can't restore
# them: they contain files of both versions until the script runs again.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'END'
usage: ./upload_static_to_gcs.sh [--dry-run] [--take-over] BUCKET

Uploads dags/ to gs://BUCKET/dags, schemas/ to gs://BUCKET/dags/schemas, which the Airflow Variable schema_filepath names
on Composer, and plugins/ to gs://BUCKET/plugins. Deletes files of an earlier upload that this checkout lacks. Uploads
nothing unless every DAG parses. Keeps files of other teams. If anything fails, restores both folders.

  BUCKET       the environment's bucket: NAME, gs://NAME or gs://NAME/dags
  --dry-run    list the files to upload and to delete, and change nothing
  --take-over  replace files of the same names from another source; without it they stop the upload

Needs gcloud or gsutil, logged in, and Python 3.11 for .venv, which is created the first time.
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
    -*) fail "unknown option $1; --help lists the options" ;;
    *) [[ ! $given ]] || fail "give one bucket, not $given and $1"; given=$1 ;;
  esac
  shift
done
[[ $given ]] || { usage >&2; exit 2; }
bucket=${given#gs://} bucket=${bucket%/} bucket=${bucket%/dags}
# https://cloud.google.com/storage/docs/buckets#naming
[[ $bucket =~ ^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$ ]] ||
  fail "'$given' is not the name of a bucket: NAME, gs://NAME or gs://NAME/dags"

# The commands of both programs differ here in only one option.
if command -v gcloud >/dev/null; then
  storage=(gcloud storage) by_content=--checksums-only
elif command -v gsutil >/dev/null; then
  storage=(gsutil) by_content=-c
else
  fail "gcloud and gsutil are missing: install one (https://cloud.google.com/sdk/docs/install)"
fi
readonly root=gs://$bucket versions=stellar-etl/versions folders=(dags plugins)
version=$(date -u +%Y%m%dT%H%M%SZ)-$$
work=$(mktemp -d)

# Runs a transfer; shows its output only if it fails.
transfer() {
  "${storage[@]}" "$@" >"$work/transfer" 2>&1 || { cat "$work/transfer" >&2; return 1; }
}

# list FOLDER FILE: the names below a folder of the bucket. A failed listing is an error: an empty result would delete
# files.
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

# list_live FILE: the names of dags/ and plugins/, each with its folder.
list_live() {
  local folder
  : >"$work/live"
  for folder in "${folders[@]}"; do
    list "$folder" "$work/part" || return 1
    sed "s|^|$folder/|" "$work/part" >>"$work/live"
  done
  LC_ALL=C sort "$work/live" >"$1"
}

# holds NAMES PLACE: whether the place contains the new version, every name with every byte; NAMES is a file of its names.
holds() {
  rm -rf "$work/back"
  mkdir "$work/back"
  common "$work/new.names" "$1" >"$work/found" && fetch "$work/found" "$2" "$work/back" &&
    diff -r "$work/new" "$work/back" >&2
}

common() { LC_ALL=C comm -12 "$1" "$2"; }
without() { LC_ALL=C comm -23 "$1" "$2"; }

# Deletes objects of dags/ and plugins/; NAMES is a file of names.
delete() {
  local name urls=()
  while IFS= read -r name; do urls+=("$root/$name"); done <"$1"
  ((${#urls[@]} == 0)) || transfer rm "${urls[@]}"
}

put_back() {
  local folder
  say "restoring dags/ and plugins/"
  for folder in "${folders[@]}"; do
    [[ ! -d $work/before/$folder ]] || transfer rsync -r "$by_content" "$work/before/$folder" "$root/$folder" || return 1
  done
  list_live "$work/names" && common "$work/added" "$work/names" >"$work/found" && delete "$work/found"
}

staged='' switching=''
finish() {
  local status=$?
  trap '' INT TERM
  if [[ $switching ]]; then
    if put_back; then
      say "$root is restored; run this again"
    else
      say "dags/ and plugins/ could not be restored: they contain files of two versions; run this again"
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
cp -R dags plugins "$work/new"
cp -R schemas "$work/new/dags/schemas"
find "$work/new" -name __pycache__ -prune -exec rm -rf {} +
.venv/bin/python scripts/parse_dags.py "$work/new/dags" || fail "nothing was uploaded"
(cd "$work/new" && find . -type f) | sed 's|^\./||' | LC_ALL=C sort >"$work/new.names"

{ list_live "$work/there" && list "$versions" "$work/held"; } || fail "$root can't be listed: nothing was uploaded"
# Versions of older releases have the content of dags/ without the folder's name.
sed -E 's|^[^/]*/||; /^(dags|plugins)\//!s|^|dags/|' "$work/held" | LC_ALL=C sort -u >"$work/ours"
common "$work/new.names" "$work/there" >"$work/kept"
without "$work/new.names" "$work/there" >"$work/added"
without "$work/ours" "$work/new.names" >"$work/left" && common "$work/left" "$work/there" >"$work/gone"
without "$work/kept" "$work/ours" >"$work/foreign"
if [[ -s $work/foreign && ! $take_over ]]; then
  sed 's|^|  |' "$work/foreign" >&2
  fail "these files are in the bucket from another source: remove them, or use --take-over"
fi

LC_ALL=C sort -u "$work/kept" "$work/gone" >"$work/before.names"
fetch "$work/before.names" "$root" "$work/before" || fail "$root can't be read: nothing was uploaded"
while IFS= read -r name; do
  cmp -s "$work/new/$name" "$work/before/$name" || printf '%s\n' "$name"
done <"$work/kept" >"$work/changed"
for what in added changed gone; do sed "s|^|  $what: |" "$work/$what" >&2; done
count() { wc -l <"$work/$1" | tr -d ' '; }
summary="$(count added) added, $(count changed) changed, $(count gone) gone, of $(count new.names) files"
[[ ! $dry_run ]] || { say "$summary; nothing was changed"; exit; }

say "$summary; uploading the new version to $root/$versions/$version"
staged=1
{ transfer rsync -r "$by_content" "$work/new" "$root/$versions/$version" && list "$versions/$version" "$work/names" &&
  holds "$work/names" "$root/$versions/$version"; } ||
  fail "the new version was not uploaded completely: nothing has changed in dags/ and plugins/"

say "switching dags/ and plugins/ over"
switching=1
for place in "${folders[@]}"; do
  for folder in "$work/new/$place"/*/; do
    folder=$place/$(basename "$folder")
    transfer rsync -r "$by_content" "$root/$versions/$version/$folder" "$root/$folder" || fail "$folder failed"
  done
  transfer rsync "$by_content" "$root/$versions/$version/$place" "$root/$place" || fail "the files of $place/ failed"
done
delete "$work/gone" || fail "removed files could not be deleted"
{ list_live "$work/names" && holds "$work/names" "$root"; } || fail "dags/ and plugins/ differ from the uploaded version"
switching='' staged=''

while IFS= read -r old; do
  transfer rm -r "$root/$versions/$old/" || say "the older version $old remains below $versions; the next upload deletes it"
done < <(sed 's|/.*||' "$work/held" | sort -u)
say "$root has this version: $(count new.names) files, read back and compared"
