"""Requests of any content to the local cluster have a reply, cause no server error, and reach no shell."""

from __future__ import annotations

import base64
import json
import os
import secrets
from urllib.parse import quote

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile.inputs import DEEP, NASTY, TALLIES, anything, tampered, texts, tried
from tests.local.cluster_server import IMAGE, NAMESPACE, Cluster
from tests.waiting import PATIENCE, wait_until

POD = {
    "metadata": {"name": "x", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": 5,
        "containers": [
            {
                "name": "base",
                "image": IMAGE,
                "command": ["true"],
                "args": ["a"],
                "env": [{"name": "A", "value": "b"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "a.b"}}}],
                "workingDir": "/",
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}
SPACE = f"/api/v1/namespaces/{NAMESPACE}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster.make(tmp_path_factory.mktemp("cluster"))
    yield cluster
    assert cluster.process is not None and cluster.process.poll() is None, "the server died"
    assert cluster.run("echo", "still here") == "still here\n"
    assert cluster.stop() == 0


@pytest.fixture(scope="module")
def ask(cluster):
    """Send a request; return its status, which must not be a server error."""
    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/json"})

        def ask(method, path, **options):
            options = {"timeout": 10, "stream": True, **options}
            with session.request(method, cluster.url + path, **options) as answer:
                text = "" if answer.status_code == 200 else answer.text
                TALLIES["cluster"].outcomes[f"HTTP {answer.status_code}"] += 1
                assert answer.status_code < 500, f"{method} {path} {options}: {text}"
                assert "Traceback" not in text
                return answer.status_code

        yield ask


@tried(100)
@given(tampered(POD))
@example({**POD, "metadata": []})
@example({**POD, "metadata": {"generateName": 5}})
@example({**POD, "metadata": {"name": "x", "deletionTimestamp": "soon", "deletionGracePeriodSeconds": "x"}})
@example({**POD, "spec": {**POD["spec"], "terminationGracePeriodSeconds": 10**30}})
@example({**POD, "spec": {**POD["spec"], "containers": [{"name": [], "image": IMAGE}]}})
def test_pods_of_any_content_get_a_reply(ask, pod):
    name = f"p{secrets.token_hex(6)}"
    if isinstance(pod, dict) and isinstance(pod.get("metadata"), dict) and pod["metadata"].get("name") == "x":
        pod = {**pod, "metadata": {**pod["metadata"], "name": name}}
    if ask("POST", f"{SPACE}/pods", data=json.dumps(pod)) == 201:
        assert ask("DELETE", f"{SPACE}/pods/{name}?gracePeriodSeconds=0") in (200, 404)


@tried(100)
@given(st.sampled_from(["secrets", "configmaps", "events"]), anything | tampered({**POD, "data": {"a": "b"}}))
def test_other_objects_of_any_content_get_a_reply(ask, plural, obj):
    ask("POST", f"{SPACE}/{plural}", data=json.dumps(obj))


@pytest.mark.parametrize("body", [DEEP, "\xff\xfe", "", "9" * 5000, "nul", "[" * 5])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=nonsense", "text/plain"])
def test_bodies_of_any_content_get_a_reply(cluster, ask, body, kind):
    name = cluster.create("true")
    data = body.encode("latin-1")
    for method, path in (
        ("POST", f"{SPACE}/pods"),
        ("PATCH", f"{SPACE}/pods/{name}"),
        ("DELETE", f"{SPACE}/pods/{name}"),
    ):
        assert ask(method, path, data=data, headers={"Content-Type": kind}) >= (200 if method == "DELETE" else 400)


@tried(100)
@given(tampered({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}))
def test_patches_of_any_content_get_a_reply(cluster, ask, patch):
    name = getattr(cluster, "patched", None) or cluster.create("true")
    cluster.patched = name
    ask("PATCH", f"{SPACE}/pods/{name}", data=json.dumps(patch))


QUERIES = ["labelSelector", "fieldSelector", "watch", "timeoutSeconds", "resourceVersion", "sinceSeconds", "tailLines"]
QUERIES += ["container", "follow", "timestamps", "gracePeriodSeconds", "command", "stdin"]
words = texts.filter(lambda text: "\ud800" not in text) | st.sampled_from(
    ["-1", "0", "1", "nan", "inf", "1e400", "9" * 99]
)


@tried(120)
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"]),
    st.sampled_from(["/pods", "/secrets", "/events", "/pods/{}", "/pods/{}/log", "/pods/{}/exec", "/nothing", "/{}"]),
    words,
    st.dictionaries(st.sampled_from(QUERIES), words, max_size=3),
)
@example("GET", "/pods", "", {"watch": "1", "timeoutSeconds": "nan"})
@example("GET", "/pods", "", {"watch": "1", "resourceVersion": "x", "timeoutSeconds": "1"})
def test_paths_and_queries_of_any_content_get_a_reply(cluster, ask, method, path, name, query):
    known = getattr(cluster, "known", None) or cluster.create("true")
    cluster.known = known
    if "watch" in query:
        query["timeoutSeconds"] = query.get("timeoutSeconds") or "0"
    for one in (known, name):
        if method != "DELETE" or one != known:
            ask(method, SPACE + path.format(quote(one, safe="")), params=query)


@pytest.mark.parametrize("header", [b"\xff\xfe", b"Bearer \xc3\xa9", b"Bearer", b""])
def test_tokens_of_any_content_get_a_reply(cluster, header):
    answer = requests.get(f"{cluster.url}/version", headers={"Authorization": header}, timeout=PATIENCE)
    assert answer.status_code == 401


def test_no_shell_reads_the_arguments_of_pods(cluster, tmp_path):
    marker = tmp_path / "owned"
    # Arguments have no NUL, logs end lines at each \r, and Kubernetes itself replaces $(…) and $$.
    texts = [text for text in (*NASTY, f"`touch {marker}`", f"; touch {marker};") if not set(text) & set("\0\r\ud800$")]
    env = [{"name": f"TEXT_{number}", "value": text} for number, text in enumerate(texts)]
    name = cluster.create("printf", "%s\n", *texts, container={"env": env})
    cluster.wait_for(name, "Succeeded")
    assert cluster.log(name) == "".join(f"{text}\n" for text in texts)
    assert not marker.exists()


@pytest.mark.parametrize("part", ["../../../../escaped", "/escaped", "a/../../../../../escaped"])
def test_paths_cannot_leave_a_volume(cluster, tmp_path, part):
    data = {"a": base64.b64encode(b"x").decode()}
    name = f"s{secrets.token_hex(4)}"
    cluster.api.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}, "data": data})
    for volume, mount in (
        ({"secret": {"secretName": name, "items": [{"key": "a", "path": part}]}}, {}),
        ({"emptyDir": {}}, {"subPath": part}),
    ):
        pod = cluster.create(
            "true",
            volumes=[{"name": "v", **volume}],
            container={"volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]},
        )

        def waiting(pod=pod):
            statuses = cluster.pod(pod).status.container_statuses
            return (
                statuses
                and statuses[0].state.waiting
                and "is outside its volume" in (statuses[0].state.waiting.message or "")
            )

        wait_until(waiting, "the pod was started")
        cluster.api.delete_namespaced_pod(pod, NAMESPACE, grace_period_seconds=0)
    # Without rglob: the pods' folders may disappear during the search.
    found = [name for _, folders, files in os.walk(cluster.root) for name in (*folders, *files)]
    assert not [name for name in found if name.startswith("escaped")]
