"""The lab: five modules to write, one a section, and findings.toml. Start with README.md."""
