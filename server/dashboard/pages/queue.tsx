/** Page. */ export function QueuePage(_props: Record<string, string>) {
  return <p>soon</p>;
}
