"""Error replies of OpenAI's formats: failure kind to status and body."""

ERRORS = {
    "rate_limit": (
        429,
        {
            "error": {
                "message": "Rate limit reached (simulated by tracer)",
                "type": "requests",
                "param": None,
                "code": "rate_limit_exceeded",
            }
        },
    ),
    "server_error": (
        500,
        {
            "error": {
                "message": "The server had an error while processing your request "
                "(simulated by tracer)",
                "type": "server_error",
                "param": None,
                "code": None,
            }
        },
    ),
}
