"""The project's own testbed: machines in network namespaces, hosts with systemd, a guest with WiFi."""
