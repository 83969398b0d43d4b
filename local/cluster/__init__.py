"""The part of the Kubernetes API that KubernetesPodOperator uses, with each container as a local process.

Modules, from the process up: ``supervisor`` runs one container and stores its log and exit code; ``container`` is the
server's view of it; ``runspec`` turns a pod's spec into a command; ``status`` computes the kubelet's report; ``store``
stores objects and their history; ``kubelet`` drives pods; ``logs``, ``execution`` and ``api`` answer clients;
``control`` injects faults. State that must outlive the server is in files below its root.
"""
