"""Identity and the home: people, roles, clients, sessions."""
