"""Short messages to people outside: 企业微信, 钉钉, 飞书, mail, webhooks."""
