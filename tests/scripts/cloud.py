"""Stand-ins for `gcloud`, `bq`, `kubectl` on a simulated cloud: `cloud.py PROGRAM ARGUMENT…`.

The JSON file CLOUD has the cloud's resources. Commands that change the cloud are recorded in the file CHANGES, one JSON
list per command. Command number FAIL_AT fails, after it took effect if LOSE_REPLY is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE, CHANGES = Path(os.environ["CLOUD"]), Path(os.environ["CHANGES"])
cloud: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}


class RefusedError(Exception):
    pass


def part(kind: str) -> dict[str, Any]:
    return cloud.setdefault(kind, {})


def filled() -> str:
    return json.dumps({kind: things for kind, things in cloud.items() if things})


def find(kind: str, name: str) -> Any:
    if name not in part(kind):
        raise RefusedError(f"NOT_FOUND: {kind} {name} was not found")
    return part(kind)[name]


def make(kind: str, name: str, value: Any) -> None:
    if name in part(kind):
        raise RefusedError(f"ALREADY_EXISTS: {kind} {name}")
    part(kind)[name] = value


def bind(kind: str, name: str, options: dict[str, str]) -> None:
    for key in ("project", "format"):
        options.pop(key)
    if options.pop("condition") != "None":
        raise RefusedError("a condition")
    policy = find(kind, name).setdefault("bindings", [])
    policy.append({"role": options.pop("role"), "members": [options.pop("member")]})
    if options:
        raise RefusedError(f"unknown options {options}")


def gcloud(words: list[str], options: dict[str, Any], inside: list[str]) -> Any:
    """Return the output of a command; None from one that changes something."""
    match words:
        case ["auth", "print-access-token"]:
            return "a-secret-token"
        case ["projects", "describe", name]:
            return find("projects", name)
        case ["projects", "get-iam-policy", name]:
            return find("projects", name)
        case ["projects", "add-iam-policy-binding", name]:
            return bind("projects", name, options)
        case ["services", "list"]:
            return [{"config": {"name": name}} for name in part("services")]
        case ["services", "enable", *names]:
            return part("services").update(dict.fromkeys(names, True))
        case ["iam", "service-accounts", "create", name]:
            project = options["project"]
            return make("accounts", f"{name}@{project}.iam.gserviceaccount.com", {"title": options["display-name"]})
        case ["iam", "service-accounts", "describe" | "get-iam-policy", name]:
            return find("accounts", name)
        case ["iam", "service-accounts", "add-iam-policy-binding", name]:
            return bind("accounts", name, options)
        case ["storage", "buckets", "list"]:
            return [{"name": name.removeprefix("gs://")} for name in part("buckets")]
        case ["storage", "buckets", "create", name]:
            return make("buckets", name, {"location": options["location"].upper()})
        case ["storage", "buckets", "describe" | "get-iam-policy", name]:
            return find("buckets", name)
        case ["storage", "buckets", "update", name]:
            find("buckets", name)["lifecycle_config"] = json.loads(Path(options["lifecycle-file"]).read_text())
        case ["artifacts", "repositories", "describe" | "get-iam-policy", name]:
            return find("registries", f"{options['location']}/{name}")
        case ["artifacts", "repositories", "create", name]:
            assert options["repository-format"] == "docker"
            make("registries", f"{options['location']}/{name}", {})
        case ["artifacts", "repositories", "add-iam-policy-binding", name]:
            return bind("registries", f"{options.pop('location')}/{name}", options)
        case ["artifacts", "docker", "images", "describe", name]:
            return find("images", name)
        case ["builds", "submit", "."]:
            find("accounts", options["service-account"].rpartition("/")[2])
            config = json.loads(Path(options["config"]).read_text())
            made, verification = config["steps"]
            (image,) = config["images"]
            assert made["args"] == ["build", f"--tag={image}", "."]
            location, _, rest = image.partition("-docker.pkg.dev/")
            find("registries", f"{location}/{rest.split('/')[1]}")
            run_step(verification)
            make("images", image, {"image_summary": {"digest": "sha256:0"}})
        case ["builds", "submit"]:
            assert "no-source" in options
            find("accounts", options["service-account"].rpartition("/")[2])
            (verification,) = json.loads(Path(options["config"]).read_text())["steps"]
            run_step(verification)
        case ["storage", "buckets", "add-iam-policy-binding", name]:
            return bind("buckets", name, options)
        case ["storage", "cat", url]:
            return find("objects", url)
        case ["storage", "rm", url]:
            find("objects", url)
            part("objects").pop(url)
        case ["storage", "cp", source, url]:
            find("buckets", "/".join(url.split("/")[:3]))
            content = find("objects", source) if source.startswith("gs://") else Path(source).read_text()
            part("objects")[url] = content
        case ["secrets", "describe", name]:
            find("secrets", name)
            return {"name": name}
        case ["secrets", "versions", "access", "latest"]:
            return find("secrets", options["secret"])
        case ["secrets", "create", name]:
            assert (options["data-file"], options["replication-policy"]) == ("-", "automatic")
            make("secrets", name, sys.stdin.read())
        case ["secrets", "versions", "add", name]:
            assert options["data-file"] == "-"
            find("secrets", name)
            part("secrets")[name] = sys.stdin.read()
        case ["compute", "networks", "create", name]:
            make("networks", name, {})
        case ["compute", "networks", "describe", name]:
            return find("networks", name)
        case ["compute", "networks", "subnets", "create", name]:
            find("networks", options["network"])
            make("subnets", f"{options['region']}/{name}", {"range": options["range"]})
        case ["compute", "networks", "subnets", "describe", name]:
            return find("subnets", f"{options['region']}/{name}")
        case ["container", "clusters", "create", name]:
            find("networks", options["network"])
            find("subnets", f"{options['location']}/{options['subnetwork']}")
            find("accounts", options["service-account"])
            make("clusters", name, {"workloadIdentityConfig": {"workloadPool": options["workload-pool"]}})
        case ["container", "clusters", "describe", name]:
            return find("clusters", name)
        case ["container", "clusters", "get-credentials", name]:
            find("clusters", name)
            Path(os.environ["KUBECONFIG"]).write_text(f"cluster: {name}\n")
            return ""
        case ["container", "node-pools", "create", name]:
            find("clusters", options["cluster"])
            make("pools", name, {key: options[key] for key in ("node-labels", "workload-metadata", "total-max-nodes")})
        case ["container", "node-pools", "update", name]:
            find("pools", name)["autoscaling"] = {"totalMaxNodeCount": int(options["total-max-nodes"])}
        case ["container", "node-pools", "describe", name]:
            find("clusters", options["cluster"])
            return find("pools", name)
        case ["composer", "environments", "describe", name]:
            return find("composer", name)
        case ["composer", "environments", "create", name]:
            find("accounts", options["service-account"])
            find("buckets", f"gs://{options['storage-bucket']}")
            software: dict[str, Any] = {"imageVersion": f"{options['image-version']}.1.0-build.1"}
            assigned = flags(options) | {key: options[key] for key in ("env-variables",) if key in options}
            software["envVariables"] = pairs(assigned["env-variables"])
            software["airflowConfigOverrides"] = pairs(options["airflow-configs"])
            workers = {f"{end}Count": int(options[f"{end}-workers"]) for end in ("min", "max")}
            config = {
                "softwareConfig": software,
                "workloadsConfig": {"worker": workers, "triggerer": {"count": int(options["triggerer-count"])}},
                "dataRetentionConfig": kept_days(options),
                "nodeConfig": {"serviceAccount": options["service-account"]},
                "dagGcsPrefix": f"gs://{options['storage-bucket']}/dags",
            }
            make("composer", name, {"state": "RUNNING", "config": config})
        case ["composer", "environments", "update", name]:
            config = find("composer", name)["config"]
            software = config["softwareConfig"]
            options |= flags(options)
            if "update-env-variables" in options:
                software["envVariables"] |= pairs(options["update-env-variables"])
            elif "update-airflow-configs" in options:
                software.setdefault("airflowConfigOverrides", {}).update(pairs(options["update-airflow-configs"]))
            elif "airflow-database-retention-days" in options:
                config["dataRetentionConfig"] = kept_days(options)
            elif {"min-workers", "max-workers"} & options.keys():
                for end in ("min", "max"):
                    if f"{end}-workers" in options:
                        config["workloadsConfig"]["worker"][f"{end}Count"] = int(options[f"{end}-workers"])
            else:
                lines = Path(options["update-pypi-packages-from-file"]).read_text().splitlines()
                wanted = [line.partition(">=") for line in lines if line and not line.startswith("#")]
                software["pypiPackages"] = {name: sign + rest for name, sign, rest in wanted}
        case ["composer", "environments", "run", name, what, "import"]:
            bucket = find("composer", name)["config"]["dagGcsPrefix"].removesuffix("/dags")
            path, *rest = inside
            content = json.loads(find("objects", path.replace("/home/airflow/gcs", bucket)))
            fields = find("composer", name).setdefault(what, {})
            assert rest in ([], ["--action-on-existing-key=skip"])
            fields |= {key: value for key, value in content.items() if not rest or key not in fields}
        case _:
            raise RefusedError(f"unknown: gcloud {words}")
    return None


def run_step(step: dict[str, Any]) -> None:
    """Run a step of Cloud Build in this machine's shell, with a container engine whose images print `ANSWER`."""
    answer = os.environ.get("ANSWER", "stellar-etl 0.1.0")
    engine = f"docker() {{ [ \"$1 $2 $4\" = 'run --rm version' ] && printf '%s\\n' '{answer}' 'a library 1.0'; }}\n"
    flag, script, *rest = step["args"]
    assert "$" not in script.replace("$$", ""), "Cloud Build would substitute its own variable"
    script = engine + script.replace("$$", "$")
    done = subprocess.run([step["entrypoint"], flag, script, *rest], capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode:
        raise RefusedError("build step 1 failed")


def kept_days(options: dict[str, Any]) -> dict[str, Any]:
    days = int(options["airflow-database-retention-days"])
    return {"airflowMetadataRetentionConfig": {"retentionDays": days, "retentionMode": "RETENTION_MODE_ENABLED"}}


def flags(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a file."""
    if "flags-file" not in options:
        return {}
    return {key.removeprefix("--"): value for key, value in json.loads(Path(options["flags-file"]).read_text()).items()}


def pairs(text: str | dict[str, str]) -> dict[str, str]:
    if isinstance(text, dict):
        return text
    delimiter = ","
    if text.startswith("^"):
        _, delimiter, text = text.split("^", 2)
    return dict(pair.split("=", 1) for pair in text.split(delimiter))


def bq(words: list[str], options: dict[str, str], inside: list[str]) -> Any:
    match words:
        case ["show", name]:
            return find("datasets", name)
        case ["mk", name]:
            key, _, value = options["label"].partition(":")
            make("datasets", name, {"location": options["location"], "labels": {key: value}, "access": []})
        case ["update", name]:
            key, _, value = options["set_label"].partition(":")
            find("datasets", name).setdefault("labels", {})[key] = value
        case ["query", statement]:
            _, role, _, _, schema, _, member = statement.split()
            assert role == "`roles/bigquery.dataEditor`"
            name = schema.replace("`", "").replace(".", ":")
            email = member.strip('"').removeprefix("serviceAccount:")
            find("datasets", name).setdefault("access", []).append({"role": "WRITER", "userByEmail": email})
        case _:
            raise RefusedError(f"unknown: bq {words}")
    return None


def kubectl(words: list[str], options: dict[str, str], inside: list[str]) -> Any:
    if not Path(os.environ["KUBECONFIG"]).exists():
        raise RefusedError("no cluster")
    namespace = options.get("namespace")
    if namespace:
        find("namespaces", namespace)
    match words:
        case ["get", kind, name]:
            where = f"{namespace}/{name}" if namespace else name
            found = part(f"{kind}s").get(where)
            return "" if found is None else found
        case ["create", "namespace", name]:
            make("namespaces", name, {})
        case ["create", "serviceaccount", name]:
            make("serviceaccounts", f"{namespace}/{name}", {"metadata": {}})
        case ["annotate", "serviceaccount", name, annotation]:
            key, _, value = annotation.partition("=")
            account = find("serviceaccounts", f"{namespace}/{name}")
            account["metadata"].setdefault("annotations", {})[key] = value
        case ["apply"]:
            import yaml

            role = yaml.safe_load(Path(options["filename"]).read_text())
            part("roles")[f"{namespace}/{role['metadata']['name']}"] = role
        case ["create", "rolebinding", name]:
            find("roles", f"{namespace}/{options['role']}")
            make("rolebindings", f"{namespace}/{name}", {"role": options["role"], "user": options["user"]})
        case _:
            raise RefusedError(f"unknown: kubectl {words}")
    return None


def main(program: str, arguments: list[str]) -> str:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    inside = arguments[len(own) + 1 :]
    words = [word for word in own if not word.startswith("--")]
    options = dict([*word[2:].split("=", 1), ""][:2] for word in own if word.startswith("--"))
    before = filled()
    shown = {"gcloud": gcloud, "bq": bq, "kubectl": kubectl}[program](words, options, inside)
    if shown is not None:
        assert filled() == before, "a read changes nothing"
        return shown if isinstance(shown, str) else json.dumps(shown)
    with CHANGES.open("a") as file:
        file.write(json.dumps([program, *arguments]) + "\n")
    fails = len(CHANGES.read_text().splitlines()) == int(os.environ.get("FAIL_AT", 0))
    if not fails or os.environ.get("LOSE_REPLY"):
        FILE.write_text(filled())
    if fails:
        raise RefusedError("503 the connection was lost")
    return ""


if __name__ == "__main__":
    try:
        print(main(sys.argv[1], sys.argv[2:]), end="")
    except RefusedError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(1)
