"""DSPy: a ReAct agent; its model is asked through LiteLLM in DSPy's own text format."""

import os

import dspy


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def book_table(city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


if __name__ == "__main__":
    # DSPy keeps answers on disk; a run that finds them there asks nothing.
    dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False))
    planner = dspy.ReAct("request -> plan", tools=[get_weather, book_table, cancel_table])
    print(planner(request="Plan an evening in Berlin or Paris.").plan)
