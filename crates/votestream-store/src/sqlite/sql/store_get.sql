SELECT uuid FROM store
