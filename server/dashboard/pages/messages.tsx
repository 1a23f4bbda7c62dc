/** Page. */ export function MessagesPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
