/**
 * Composition root and command line. What a command needs is loaded when it is called: see `server/cli/program.ts`.
 *
 * @module
 */
import { buildProgram } from "./cli/program.ts";

await buildProgram().parseAsync();
