"""A server of the reference implementation with one tool, which the harness is tried on."""

from mcp.server import MCPServer

server = MCPServer("echo")


@server.tool()
def plan_echo(text: str) -> dict[str, str]:
    """Say it again, or refuse."""
    if text == "refuse":
        raise ValueError("refused")
    return {"plan_id": text}


server.run()
