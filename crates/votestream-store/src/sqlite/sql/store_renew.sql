UPDATE store SET uuid = ?1
