/** A payload as it will stand in a segment: JSON text, or CBOR bytes. */
export type PayloadText = string | Uint8Array;

/** One item of a push. */
export interface PushItem {
  queue: string;
  partition: string;
  /** Null: the server draws one. */
  transactionId: string | null;
  traceId: string | null;
  payload: PayloadText;
}
