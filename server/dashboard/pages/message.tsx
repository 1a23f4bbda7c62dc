/** Page. */ export function MessagePage(_props: Record<string, string>) {
  return <p>soon</p>;
}
