import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./schema/database/tables.ts",
  out: "./schema/database/migrations",
  schemaFilter: ["queen"],
});
