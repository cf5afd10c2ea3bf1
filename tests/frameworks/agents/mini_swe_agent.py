"""mini-swe-agent: commands in a local environment, its model asked through LiteLLM."""

import os

os.environ["MSWEA_SILENT_STARTUP"] = "1"
os.environ["MSWEA_COST_TRACKING"] = "ignore_errors"

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.litellm_model import LitellmModel

if __name__ == "__main__":
    agent = DefaultAgent(
        LitellmModel(model_name="openai/gpt-4o-mini"),
        LocalEnvironment(),
        system_template="You plan evenings with a shell, on {{system}}.",
        instance_template="{{task}}",
    )
    print(agent.run("Plan an evening in Berlin or Paris.")["submission"].strip())
