"""`clickpulse dlq`: what is in the dead-letter topic, and sending it to its topic again.

| module | idea |
|---|---|
| `letters` | one letter, whoever wrote it: its headers as a model |
| `reading` | a topic from a place to the end that it has now, without joining a group |
| `catalog` | all letters without their payloads: duplicates, groups, what came back |
| `payload` | a letter's value decoded as far as possible |
| `markers` | which letters were sent again, in a compacted topic |
| `lock` | one redrive at a time |
| `sending` | messages written, each with what became of it |
| `redrive` | which letters are sent, in an order that a kill can't harm |
| `remapping` | a letter's payload through a mapping |
| `commands`, `text` | the command line |
"""
