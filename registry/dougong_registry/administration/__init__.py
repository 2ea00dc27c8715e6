"""The pages for staff at /admin/, off unless `DOUGONG_ADMIN` is set."""
