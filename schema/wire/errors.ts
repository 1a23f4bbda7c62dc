/**
 * The registry of errors that reach clients: code, HTTP status, whether the same request may succeed later, and the
 * text. Texts that published clients or the contract depend on are exact.
 *
 * @module
 */

interface ErrorEntry {
  readonly status: number;
  readonly retryable: boolean;
  readonly text: string;
}

function entry(status: number, text: string, retryable = false): ErrorEntry {
  return { status, retryable, text };
}

/** Every error a client can be told, by its code. `{…}` in a text is filled in from the details given. */
export const ERRORS = {
  BODY_EMPTY: entry(400, "Empty request body"),
  BODY_INVALID_JSON: entry(400, "Invalid JSON: {detail}"),
  BODY_INVALID_CBOR: entry(400, "Invalid CBOR: {detail}"),
  BODY_NOT_UTF8: entry(400, "Invalid JSON: body is not valid UTF-8"),
  BODY_TOO_DEEP: entry(400, "body is nested deeper than {max} levels"),
  BODY_TOO_LARGE: entry(413, "Request body exceeds {max} bytes"),
  BODY_LATE: entry(408, "Request body did not arrive within {seconds} s"),
  FIELD_INVALID: entry(400, "{detail}"),
  QUEUE_REQUIRED: entry(400, "queue is required"),
  ITEMS_REQUIRED: entry(400, "items array is required"),
  ACKNOWLEDGMENTS_REQUIRED: entry(400, "acknowledgments array is required"),
  ACKNOWLEDGMENT_TRANSACTION_ID: entry(400, "Each acknowledgment must have a valid transactionId string"),
  ACKNOWLEDGMENT_PARTITION_ID: entry(
    400,
    "Each acknowledgment must have a valid partitionId string to ensure message uniqueness",
  ),
  NO_ITEMS: entry(400, "No items to push"),
  QUEUE_FULL: entry(400, "{detail}"),
  QUEUE_NOT_FOUND: entry(404, "Queue not found"),
  PARTITION_NOT_FOUND: entry(404, "Partition not found"),
  MESSAGE_NOT_FOUND: entry(404, "Message not found"),
  MESSAGE_STATE: entry(409, "{detail}"),
  TRANSACTION_ID_REQUIRED: entry(400, "transactionId is required"),
  PARTITION_ID_REQUIRED: entry(400, "partitionId is required to ensure message uniqueness"),
  OPERATIONS_REQUIRED: entry(400, "operations array required"),
  OPERATIONS_EMPTY: entry(400, "operations array cannot be empty"),
  QUEUE_UNKNOWN: entry(400, "Queue '{queue}' does not exist. Please create it using the configure endpoint first."),
  ENCRYPTION_KEY_MISSING: entry(400, "Queue '{queue}' is encrypted and the server has no encryption key"),
  OVERLOADED: entry(503, "Server is busy, try again", true),
  DATABASE_UNAVAILABLE: entry(503, "Database is unavailable, try again", true),
  SPOOL_FULL: entry(503, "The file buffer is full, try again later", true),
  SPOOL_WRITE_FAILED: entry(503, "File buffer write failed, try again later", true),
  PUSHES_BUFFERED: entry(503, "Pushes are being buffered, and this request cannot be: try again later", true),
  INTERNAL: entry(500, "Internal error", true),
} as const satisfies Record<string, ErrorEntry>;

/** Code of a registered error. */
export type ErrorCode = keyof typeof ERRORS;

/** An error whose text is meant for the client. */
export class QueenError extends Error {
  override name = "QueenError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;

  /**
   * @param code - Registered code.
   * @param details - Values for the `{…}` of the text.
   */
  constructor(code: ErrorCode, details: Record<string, string | number> = {}, options?: ErrorOptions) {
    super(
      ERRORS[code].text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? "")),
      options,
    );
    this.code = code;
    this.status = ERRORS[code].status;
    this.retryable = ERRORS[code].retryable;
  }
}

/**
 * Makes the error for a field that is wrong.
 *
 * @param detail - Sentence that names the field.
 */
export function fieldError(detail: string): QueenError {
  return new QueenError("FIELD_INVALID", { detail });
}
