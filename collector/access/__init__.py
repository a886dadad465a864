"""Access: who may do what. Users, roles, scopes, sessions, and a log of what was done."""
