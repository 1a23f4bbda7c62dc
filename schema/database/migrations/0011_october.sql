CREATE TABLE "queen"."october_answers" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"group_id" integer NOT NULL,
	"lease_id" uuid NOT NULL,
	"failed" "int8multirange" NOT NULL,
	CONSTRAINT "october_answers_pkey" PRIMARY KEY("queue_id","partition_id","group_id")
);
--> statement-breakpoint
CREATE TABLE "queen"."october_messages" (
	"key" uuid NOT NULL,
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"message_offset" bigint NOT NULL,
	CONSTRAINT "october_messages_pkey" PRIMARY KEY("key","queue_id","partition_id","message_offset")
);
--> statement-breakpoint
CREATE TABLE "queen"."october_segments" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"first_offset" bigint NOT NULL,
	CONSTRAINT "october_segments_pkey" PRIMARY KEY("queue_id","partition_id","first_offset")
);
