"""One bot read for many projects: who reads, what each project takes over, and what people are asked in the chat."""
