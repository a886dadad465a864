"""Who is who: the private authority of agents, servers and services, and the key that releases are signed with."""
