"""The POPs over HTTP, on an admin address: what is known of each, and drains.

Owns: `pops_routes`: GET /pops, POST /pops/NAME/drain and /pops/NAME/undrain. Rules: the admin address is private and has no
password; so that no page in a browser of the operator's can drain anything, an order must come as application/json, which
a page cannot send elsewhere without asking first (Fetch, CORS preflight).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from edge.server.watching import Watching

JSON = "application/json"


def pops_routes(watching: Watching) -> Sequence[web.RouteDef]:
    """For an admin address."""

    async def shown(_request: web.Request) -> web.Response:
        return _json(watching.described())

    async def drained(request: web.Request) -> web.Response:
        return await _order(watching, request, drained=True)

    async def undrained(request: web.Request) -> web.Response:
        return await _order(watching, request, drained=False)

    return (
        web.get("/pops", shown),
        web.post("/pops/{pop}/drain", drained),
        web.post("/pops/{pop}/undrain", undrained),
    )


async def _order(watching: Watching, request: web.Request, *, drained: bool) -> web.Response:
    if request.content_type != JSON:
        return _json(
            {"reason": "no-json", "title": "an order is an object", "instead": f"send it as {JSON}"}, 415
        )
    pop = request.match_info["pop"]
    try:
        await watching.drain(pop, drained)
    except KeyError:
        names = ", ".join(sorted(each.name for each in watching.network.pops))
        said = {"reason": "no-pop", "title": f"there is no POP {pop!r}", "instead": f"known: {names}"}
        return _json(said, 404)
    return _json({"pop": pop, "drained": drained, "seconds": watching.network.health.drain_ramp})


def _json(body: Mapping[str, object], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
