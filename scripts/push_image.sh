#!/usr/bin/env bash
# Builds the exporter's image, pushes it to an Artifact Registry repository under a tag, and prints its name by digest:
# image=REPOSITORY@sha256:…, in the form of a workflow's output.
#   scripts/push_image.sh LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/stellar-etl TAG
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ $# != 2 || ! $1 =~ ^[a-z0-9-]+-docker\.pkg\.dev(/[a-z0-9._-]+){3}$ || ! $2 =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]]; then
  echo "usage: scripts/push_image.sh LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/stellar-etl TAG" >&2
  exit 2
fi
repository=$1 tag=$2
{
  gcloud auth configure-docker --quiet "${repository%%/*}"
  docker build --pull --tag "$repository:$tag" .
  docker push "$repository:$tag"
} >&2
digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$repository:$tag" | grep -F "$repository@" | head -n 1)
echo "image=$digest"
