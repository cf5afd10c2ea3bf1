"""Sample agents that fail for a reason worth finding, and the local model server they talk to.

`support_agent.py`, `support_agent_stream.py` and `team_agent.py` are programs in plain SDK idiom;
`samples.py` says of each which model answer is to blame; `local_models.py` starts the server
(`model_server.py`) where no key or base URL is set. Nothing here is needed to trace other programs.
"""
