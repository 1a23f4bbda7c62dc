/**
 * The files of Swagger UI, imported as text. Without an import of its own this file only declares.
 *
 * @module
 */
declare module "swagger-ui-dist/*.js" {
  const text: string;
  export default text;
}
declare module "swagger-ui-dist/*.css" {
  const text: string;
  export default text;
}
