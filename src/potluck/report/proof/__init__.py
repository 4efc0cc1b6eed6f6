"""What was proved of a run, as pages: what attacks found, and what audits measured."""
