"""The slice of the Kubernetes API that KubernetesPodOperator uses, with each container as a local process.

From the process up: ``supervisor`` runs one container and keeps its log and exit code; ``container`` is the server's
view of that; ``runspec`` turns a pod's spec into a command; ``status`` says what a kubelet would report; ``store``
keeps objects and their history; ``kubelet`` drives pods; ``logs``, ``execution`` and ``api`` answer clients;
``control`` injects faults. What must outlive the server is in files below its root.
"""
