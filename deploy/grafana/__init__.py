"""
Dashboards for Grafana, built in Python and committed as JSON.

    texts, promises ──▶ city, school, device, hotspots, centre ──▶ dashboards/zh/*.json, dashboards/en/*.json
    (words, targets)    (over parts: panels, variables, queries)    alerting/santong.yaml

`python -m deploy.grafana` writes the files, `--check` says which are not current.
"""
