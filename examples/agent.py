"""An agent in twenty lines: it pays until its contract says no, and then it says why and stops.

python agent.py https://api.example.com agent.chain agent.jwk
"""

import sys

import httpx

from remit import ContractAuth

guard, chain, key = sys.argv[1:]
with httpx.Client(base_url=guard, auth=ContractAuth.from_files(chain, key)) as client:
    for paid in range(1000):
        answer = client.post("/transfer", json={"amount": 5, "currency": "USD", "to": "bob"})
        if not answer.is_success:
            print(f"paid {paid} times, then: {answer.json()['detail']}")
            break
