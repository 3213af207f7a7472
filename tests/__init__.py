"""The tests. Folders mirror `src/remit`; tests/tidy reads the project as text, tests/wheel tries what is shipped."""
