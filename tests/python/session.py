"""Goes through one session with a server as the reference MCP client does, and prints what it got as JSON.

    session.py MODE SERVER TOOL ARGUMENTS     MODE: auto, legacy or 2026-07-28; ARGUMENTS: a JSON object

The server gets this process's environment.
"""

import json
import os
import sys

import anyio
from mcp import Client, StdioServerParameters


async def main(mode: str, server: str, tool: str, arguments: str) -> None:
    parameters = StdioServerParameters(command=server, env=dict(os.environ))
    async with Client(parameters, mode=mode) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool(tool, json.loads(arguments))
    json.dump(
        {
            "tools": {each.name: each.annotations and each.annotations.read_only_hint for each in tools},
            "refused": bool(result.is_error),
            "content": result.structured_content,
            "text": "\n".join(block.text for block in result.content if block.type == "text"),
        },
        sys.stdout,
    )


anyio.run(main, *sys.argv[1:])
