"""The laptop stack: emulators, pods as processes, the sample network, start and stop. Knows no DAG."""
