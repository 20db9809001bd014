//! What every store must do for devices.

use super::{event, person};
use crate::store::{Change, Store, StoreError, Unique, device::DeviceRecord};
use dayfly_core::{audit::Event, device::Posture};

pub(crate) async fn a_device_is_approved_once_and_its_id_and_key_stay_taken(store: &impl Store) {
    let device = |id: &str, key: &str| DeviceRecord {
        id: id.parse().unwrap(),
        owner: "alice".parse().unwrap(),
        key_fingerprint: format!("SHA256:{key}"),
        public_key: format!("ssh-ed25519 {key}"),
        added_at: 100,
        approved_at: None,
        seen_at: 100,
        posture: Posture { reported_at: 100, firewall: Some(true), ..Posture::default() },
        disabled: false,
    };
    let add = async |device: DeviceRecord| store.commit(Change::AddDevice(Box::new(device)), event(Event::DeviceAdded)).await;
    let change = async |change: Change| store.commit(change, event(Event::DeviceReported)).await;
    store.commit(Change::AddPerson(person("alice", "a")), event(Event::UserAdded)).await.unwrap();
    let (laptop, id) = (device("laptop", "l"), "laptop".parse().unwrap());
    assert!(matches!(change(Change::ApproveDevice { id: laptop.id.clone(), at: 1 }).await, Err(StoreError::Unknown(_))));
    add(laptop.clone()).await.unwrap();
    assert!(matches!(add(device("laptop", "m")).await, Err(StoreError::Conflict(Unique::Device))));
    assert!(matches!(add(device("tower", "l")).await, Err(StoreError::Conflict(Unique::Key))));
    assert_eq!(store.device_by_key("SHA256:l").await.unwrap(), Some(laptop.clone()));
    assert_eq!(store.device_by_key("SHA256:m").await.unwrap(), None, "what was refused left nothing behind");
    change(Change::ApproveDevice { id: laptop.id.clone(), at: 200 }).await.unwrap();
    change(Change::ApproveDevice { id: laptop.id.clone(), at: 300 }).await.unwrap();

    let before = store.head().await.unwrap();
    let told = |at, firewall| Posture { reported_at: at, firewall: Some(firewall), ..Posture::default() };
    change(Change::NoteDevice { id: laptop.id.clone(), posture: told(400, true) }).await.unwrap();
    assert_eq!(store.head().await.unwrap(), before, "nothing new was told");
    change(Change::NoteDevice { id: laptop.id.clone(), posture: told(500, false) }).await.unwrap();
    assert_ne!(store.head().await.unwrap(), before);
    let known = store.device(&id).await.unwrap().unwrap();
    assert_eq!((known.approved_at, known.seen_at, known.posture.firewall), (Some(200), 500, Some(false)));
    assert!(known.is_enrolled());

    change(Change::DisableDevice(laptop.id.clone())).await.unwrap();
    let ended = store.device(&id).await.unwrap().unwrap();
    assert!(ended.disabled && !ended.is_enrolled());
    for late in [Change::ApproveDevice { id: id.clone(), at: 600 }, Change::NoteDevice { id: id.clone(), posture: told(600, true) }] {
        assert!(matches!(change(late).await, Err(StoreError::Unknown(_))));
    }
    assert!(matches!(add(device("laptop", "n")).await, Err(StoreError::Conflict(Unique::Device))));
    assert!(matches!(add(device("phoenix", "l")).await, Err(StoreError::Conflict(Unique::Key))));
    assert_eq!(store.devices().await.unwrap(), [ended]);
}
