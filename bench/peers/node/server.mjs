// @tus/server with its S3 store, as its README shows it. BUCKET, ENDPOINT, REGION, ACCESS_KEY and SECRET_KEY say where
// the objects go. Its only output is the address under which it creates uploads.
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const { BUCKET, ENDPOINT, REGION, ACCESS_KEY, SECRET_KEY } = process.env
const datastore = new S3Store({
  s3ClientConfig: {
    bucket: BUCKET,
    endpoint: ENDPOINT,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  },
})
const server = new Server({ path: '/files', datastore })
const http = server.listen({ host: '127.0.0.1', port: 0 }, () => {
  console.log(`uploads at http://127.0.0.1:${http.address().port}/files`)
})
