/** Page. */ export function ConsumerGroupPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
