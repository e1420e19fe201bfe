"""Signed purge requests: HTTP Message Signatures (RFC 9421), digests (RFC 9530), keys and what they may purge.

For the rest of the edge: `message.Message`, `verify.verify`, `keys.KeyRing` and `keys.allows`, `folder.KeyFolder`,
`nonces.Nonces`; for clients: `sign.sign`.
"""
