"""The engine sequences what the core decides: prepare, apply, conclude, settle. It holds no rules of its own."""
