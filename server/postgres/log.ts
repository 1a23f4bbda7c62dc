/** Takes one event of the embedded database; the composition root hands in the log of the process. */
export type EmbeddedLog = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields: Record<string, unknown>,
) => void;
