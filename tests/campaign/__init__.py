"""The campaign: thousands of bad inputs, kills and power cuts, of which none may do harm.

    cd tests && python -m campaign --inputs 3000

A case (`campaign.cases`) is a function that writes an input into a folder and says which command
is to meet it. A worker (`campaign.worker`) tries it in a process of its own, and the judge
(`campaign.judge`) says how it ended. docs/reliability.md tells the rest.
"""
