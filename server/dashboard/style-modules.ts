/**
 * Style sheets, imported for the bundler to gather. Without an import of its own this file only declares.
 *
 * @module
 */
declare module "*.css";
