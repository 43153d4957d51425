import { byId } from '../ui/dom';
import { FileList } from '../ui/file-list';
import { startPage } from '../ui/page';
import { showUsage } from '../ui/usage';

void startPage(async (holdfast) => {
  const usage = () => showUsage(holdfast, byId('usage'));
  await Promise.all([new FileList(holdfast, 20, byId('files'), () => void usage()).refresh(), usage()]);
});
