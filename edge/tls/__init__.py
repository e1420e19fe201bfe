"""TLS towards clients: certificates, what is asked of clients, tickets. It knows files and OpenSSL, and no connection."""
